#!/usr/bin/env node
import { runProgram } from './program.ts';
import { endInOrder } from './shared/interrupt.ts';

endInOrder();
await runProgram(process.argv);
