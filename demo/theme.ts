import { element } from './page.ts';

const KEY = 'theme';

/** Follows the system until the visitor chooses; the choice is kept. */
export function startTheme(): void {
  const button = element('theme', HTMLButtonElement);
  const root = document.documentElement;
  const isDark = () => root.dataset.theme === 'dark' || (!root.dataset.theme && systemIsDark());
  const stored = localStorage.getItem(KEY);
  if (stored) root.dataset.theme = stored;
  const update = () => button.setAttribute('aria-pressed', String(isDark()));
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    localStorage.setItem(KEY, root.dataset.theme);
    update();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', update);
  update();
}

function systemIsDark(): boolean {
  return matchMedia('(prefers-color-scheme: dark)').matches;
}
