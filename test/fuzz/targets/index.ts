import type { Target } from '../target.ts';

/** Every target, loaded when it is run: a file of this folder. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  models: async () => (await import('./models.ts')).models,
  detectors: async () => (await import('./models.ts')).detectors,
  ndjson: async () => (await import('./ndjson.ts')).ndjson,
  options: async () => (await import('./options.ts')).options,
  pictures: async () => (await import('./pictures.ts')).pictures,
  plans: async () => (await import('./models.ts')).plans,
  tracker: async () => (await import('./tracker.ts')).tracker,
  tuning: async () => (await import('./tuning.ts')).tuning,
  worker: async () => (await import('./worker.ts')).worker,
};
