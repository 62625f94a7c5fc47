/** The colours that faces are marked with, in pages and in files. */
export const MARK_COLOURS = { box: '#00e676', point: '#ff4081', shade: '#102018' } as const;

/**
 * The width of a face's lines: the picture's, but thinner on small faces, which must stay visible under their marks.
 * @param least below which lines vanish
 */
export function lineWidth(pictureLine: number, [x1, y1, x2, y2]: readonly number[], least: number): number {
  return Math.max(least, Math.min(pictureLine, Math.min(x2! - x1!, y2! - y1!) / 20));
}
