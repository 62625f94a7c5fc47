import { type FileEntry, Reader, ZipReader } from '@zip.js/zip.js';
import { DownloadError, type RemoteFile, type Sink } from './download.ts';

/** What zip.js reads at once is headers and the archive's directory; the published ones have a kilobyte. */
const MAX_DIRECTORY = 2 ** 24;

/** Lets zip.js read an archive in pieces; a member comes in one request. */
class PieceReader extends Reader<RemoteFile> {
  readonly #file: RemoteFile;

  constructor(file: RemoteFile) {
    super(file);
    this.#file = file;
    this.size = file.size;
  }

  override async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
    if (length > MAX_DIRECTORY) throw new DownloadError(`a zip archive whose directory has ${length} bytes`);
    const end = Math.min(offset + length, this.#file.size);
    const bytes = new Uint8Array(Math.max(0, end - offset));
    let at = 0;
    for await (const chunk of this.#file.read(offset, end)) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }

  override createReadable({ offset = 0, size }: { offset?: number; size?: number } = {}): ReadableStream<Uint8Array> {
    const end = size === undefined ? this.#file.size : Math.min(offset + size, this.#file.size);
    const chunks = this.#file.read(offset, end);
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await chunks.return(undefined)),
    });
  }
}

/**
 * Writes the file named `member`, in whatever folder of the archive, to `sink`.
 * @throws DownloadError for an archive that is not sound or lacks the file, and what `archive` and `sink` throw
 */
export async function extractMember(
  archive: RemoteFile,
  member: string,
  expectedBytes: number,
  sink: Sink,
  onProgress: (received: number, total: number) => void,
): Promise<void> {
  // zip.js may dress up what its streams throw
  let failure: unknown;
  const keep = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failure ??= error;
      throw error;
    }
  };
  let packed: FileEntry | undefined;
  let received = 0;
  const watched: RemoteFile = {
    size: archive.size,
    async *read(start, end) {
      const chunks = archive.read(start, end);
      try {
        for (;;) {
          const { done, value } = await keep(chunks.next());
          if (done) return;
          if (packed !== undefined) {
            received = Math.min(received + value.byteLength, packed.compressedSize);
            onProgress(received, packed.compressedSize);
          }
          yield value;
        }
      } finally {
        await chunks.return(undefined);
      }
    },
  };
  const zip = new ZipReader(new PieceReader(watched), { useWebWorkers: false, checkSignature: true });
  try {
    const files = (await zip.getEntries()).filter((entry) => !entry.directory);
    const named = files.filter(({ filename }) => filename.split(/[\\/]/).at(-1) === member);
    packed = named.find(({ uncompressedSize }) => uncompressedSize === expectedBytes) ?? named[0];
    if (packed === undefined) throw new DownloadError(`the archive holds no ${member}`);
    if (packed.uncompressedSize !== expectedBytes) {
      const got = packed.uncompressedSize;
      throw new DownloadError(`expected ${member} of ${expectedBytes} bytes, got one of ${got}`);
    }
    await packed.getData(
      new WritableStream<Uint8Array>({
        async write(chunk) {
          // a bomb that lies about its size ends here
          if (sink.size + chunk.byteLength > expectedBytes) {
            throw new DownloadError(`expected ${member} of ${expectedBytes} bytes, got more`);
          }
          await keep(sink.write(chunk));
        },
      }),
    );
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (error instanceof DownloadError) throw error;
    throw new DownloadError(`not a sound zip archive: ${(error as Error).message}`, { cause: error });
  } finally {
    await zip.close().catch(() => {});
  }
}
