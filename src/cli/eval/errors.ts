/** A data set, its annotations or a file of predictions is not as it must be. */
export class EvaluationError extends Error {
  override name = 'EvaluationError';
}
