import { argExtreme } from './arg-extreme.ts';
import { cast } from './cast.ts';
import { combine } from './combine.ts';
import { convTranspose } from './conv-transpose.ts';
import { depthToSpace } from './depth-to-space.ts';
import { elementwise } from './elementwise.ts';
import { gather } from './gather.ts';
import { globalPool } from './global-pool.ts';
import { layerNorm } from './layer-norm.ts';
import { logSoftmax } from './log-softmax.ts';
import { lpNorm } from './lp-norm.ts';
import { lrn } from './lrn.ts';
import { matmul } from './matmul.ts';
import { pad } from './pad.ts';
import { reduce } from './reduce.ts';
import { tanh } from './tanh.ts';
import { topK } from './top-k.ts';
import { where } from './where.ts';

/** Operators of networks other than detectors, by the `op` of their nodes. */
export const GENERAL_OPERATORS = {
  ArgExtreme: argExtreme,
  Cast: cast,
  Combine: combine,
  ConvTranspose: convTranspose,
  DepthToSpace: depthToSpace,
  Elementwise: elementwise,
  Gather: gather,
  GlobalPool: globalPool,
  LayerNorm: layerNorm,
  LogSoftmax: logSoftmax,
  LpNorm: lpNorm,
  Lrn: lrn,
  MatMul: matmul,
  Pad: pad,
  Reduce: reduce,
  Tanh: tanh,
  TopK: topK,
  Where: where,
};
