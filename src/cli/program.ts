import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { printableLines } from '../node/printable.ts';
import { addBench } from './commands/bench.ts';
import { addDetect } from './commands/detect.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEval } from './commands/eval.ts';
import { addInfo } from './commands/info.ts';
import { addModels } from './commands/models.ts';
import { addSynthesize } from './commands/synthesize.ts';
import { addVerify } from './commands/verify.ts';
import { addVideo } from './commands/video.ts';
import { reportError } from './shared/report.ts';
import { readOwnPackage } from './shared/versions.ts';

function createProgram(): Command {
  const program = new Command('scrfd')
    .description('Finds faces in pictures with SCRFD models on WebGPU.')
    .version(readOwnPackage().version)
    .option('--offline', 'download no model: one that is not on this machine is an error (SCRFD_OFFLINE=1)')
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', (command) => {
      if (command.opts<{ offline?: true }>().offline) process.env.SCRFD_OFFLINE = '1';
    })
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(printableLines(text.replace(/^error: /, 'scrfd: '))) })
    .showHelpAfterError('Add --help for usage.')
    .addHelpText(
      'after',
      `
Examples:
  scrfd detect photo.jpg --out annotated/
  scrfd detect *.jpg --model scrfd_2.5g_kps.onnx --json > faces.json
  scrfd detect photos/ --format ndjson --output faces.ndjson --resume
  scrfd video clip.mp4 --track --out marked.mp4
  scrfd detect group.jpg --model scrfd_500m.onnx --size 1280x960 --score 0.3 --out annotated/
  scrfd info --model scrfd_500m_kps.onnx
  scrfd verify --model scrfd_500m_kps.onnx --layers
  scrfd doctor

Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 and 143 interrupted. SCRFD_DEBUG=1 adds stack traces.`,
    );

  addDetect(program);
  addVideo(program);
  addInfo(program);
  addVerify(program);
  addSynthesize(addModels(program));
  addDoctor(program);
  addEval(program);
  addBench(program);
  return program;
}

/** Runs a command line: `process.argv`. What is wrong with it is said, and `process.exitCode` set. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    // what commander itself finds wrong it has said already
    if (error instanceof InvalidArgumentError || !(error instanceof CommanderError)) reportError(error);
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}
