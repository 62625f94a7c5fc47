import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // one process a file: Dawn keeps its one instance, and a crashed driver fails one file only
    pool: 'forks',
    // a software adapter uses every core by itself
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
