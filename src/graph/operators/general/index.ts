import { globalPool } from './global-pool.ts';
import { tanh } from './tanh.ts';

/** Operators of networks other than detectors, by the `op` of their nodes. */
export const GENERAL_OPERATORS = {
  GlobalPool: globalPool,
  Tanh: tanh,
};
