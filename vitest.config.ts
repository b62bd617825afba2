import { configDefaults, defineConfig } from 'vitest/config';

/** `vitest run --mode durability` runs the tests that kill processes over and over; the others leave them out. */
const durability = 'test/durability/**';

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === 'durability' ? `${durability}/*.test.ts` : 'test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(mode === 'durability' ? [] : [durability])],
    // better-sqlite3 and node-llama-cpp are native: a process each, as many as a small machine carries.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}));
