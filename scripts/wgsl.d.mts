export function includesOf(text: string): string[];
export function composeShader(name: string, files: ReadonlyMap<string, string>): string;
export function shortenShader(source: string): string;
