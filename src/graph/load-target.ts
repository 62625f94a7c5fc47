import { loadPart } from '../common/load-part.ts';
import type { AdapterTraits } from '../kernels/dispatch.ts';
import { addOperators } from './operators/index.ts';
import type { Target } from './target.ts';

// bundles have a chunk for each, and pages load the one that their adapter needs
const loadSoftware = () => loadPart(() => import('./software.ts'));
const loadHardware = () => loadPart(() => import('./hardware.ts'));

/** What plans for such an adapter are compiled for. @throws Error when a page cannot load its part */
export async function loadTarget(traits: AdapterTraits): Promise<Target> {
  if (traits.software) return (await loadSoftware()).softwareTarget(traits);
  const { hardwareTarget, HARDWARE_OPERATORS } = await loadHardware();
  addOperators(HARDWARE_OPERATORS);
  return hardwareTarget(traits);
}

/** The same with the methods of every class to choose from. */
export async function loadEveryMethod(traits: AdapterTraits): Promise<Target> {
  const target = await loadTarget(traits);
  const [{ softwareTarget }, { hardwareTarget }] = await Promise.all([loadSoftware(), loadHardware()]);
  return { ...target, methods: { ...softwareTarget(traits).methods, ...hardwareTarget(traits).methods } };
}

/** Begins to load what `loadTarget` will ask for. */
export function preloadTarget({ software }: Pick<AdapterTraits, 'software'>): void {
  const loading: Promise<unknown> = software ? loadSoftware() : loadHardware();
  // who waits for it tries again, and hears of it
  loading.catch(() => {});
}
