import { startTests } from '@vitest/runner';

console.log(typeof startTests);
