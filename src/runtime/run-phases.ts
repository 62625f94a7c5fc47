/**
 * What the CPU does in a run, in its order: bring the images to the GPU, record commands, hand them over, wait for the
 * result, and make of it what is returned.
 */
export type RunPhase = 'upload' | 'encode' | 'submit' | 'wait' | 'readBack';

/** Called when a phase ends; the next one begins there. */
export type OnPhaseEnd = (ended: RunPhase) => void;
