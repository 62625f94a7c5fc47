import { argExtreme } from './arg-extreme.ts';
import { combine } from './combine.ts';
import { elementwise } from './elementwise.ts';
import { globalPool } from './global-pool.ts';
import { layerNorm } from './layer-norm.ts';
import { logSoftmax } from './log-softmax.ts';
import { lpNorm } from './lp-norm.ts';
import { matmul } from './matmul.ts';
import { reduce } from './reduce.ts';
import { tanh } from './tanh.ts';
import { where } from './where.ts';

/** Operators of networks other than detectors, by the `op` of their nodes. */
export const GENERAL_OPERATORS = {
  GlobalPool: globalPool,
  ArgExtreme: argExtreme,
  Combine: combine,
  Elementwise: elementwise,
  LayerNorm: layerNorm,
  LogSoftmax: logSoftmax,
  LpNorm: lpNorm,
  MatMul: matmul,
  Reduce: reduce,
  Tanh: tanh,
  Where: where,
};
