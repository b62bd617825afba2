import type { ChatModel, ChatRequest, Usage } from '../port.ts';

/** Turns texts into vectors: one request, one try. Throws a ModelFault when no reply came. */
type Embed = (texts: readonly string[], signal: AbortSignal) => Promise<Embedded>;

/** What came back, unchecked: one vector a text, in their order. */
export interface Embedded {
  vectors: readonly (readonly number[])[];
  usage: Usage;
  /** The provider does not tell its tokens. */
  uncounted?: boolean;
}

export interface Embedder {
  /** Origin of the base URL, or `sha256:…` of a GGUF file. */
  readonly provider: string;
  readonly model: string;
  /** True where tokens cost nothing. */
  readonly free: boolean;
  /** Texts a request. */
  readonly batch: number;
  embed: Embed;
  dispose?(): Promise<void>;
}

/** The unit vectors of a request's texts, or what is wrong with what came. */
type Vectors = { vectors: readonly Float32Array[] } | { fault: string };

/** An embedder as the caller knows models, so that its requests have what a chat's have: limits, tries, budget, record. */
export interface CallableEmbedder {
  model: ChatModel;
  batch: number;
  /** From now on vectors of another length are a fault; else those of the first reply say how long they are. */
  expect(dimensions: number): void;
  /** A request for these texts. */
  requestFor(texts: readonly string[]): ChatRequest;
  /** What came of a request that was sent; undefined where it was not. */
  vectorsOf(request: ChatRequest): Vectors | undefined;
}

export function callableEmbedder(embedder: Embedder): CallableEmbedder {
  const { provider, model, free, batch, dispose } = embedder;
  const came = new WeakMap<ChatRequest['messages'], Vectors>();
  let dimensions: number | undefined;
  return {
    batch,
    model: {
      provider,
      model,
      scripted: false,
      free,
      async chat({ messages }, signal) {
        const texts = messages.map(({ text }) => text);
        const { vectors, usage, uncounted } = await embedder.embed(texts, signal);
        const checked = check(vectors, texts.length, dimensions);
        if ('vectors' in checked) dimensions = checked.vectors[0]?.length;
        came.set(messages, checked);
        // An empty reply is on record with its price, and never used.
        const text =
          'fault' in checked
            ? ''
            : `${texts.length} vectors of ${checked.vectors[0]?.length ?? 0} numbers, in the table embeddings`;
        return { text, finish: 'stop', usage, ...(uncounted ? { uncounted } : {}) };
      },
      ...(dispose ? { dispose: () => dispose() } : {}),
    },
    expect: (length) => void (dimensions = length),
    requestFor: (texts) => ({
      messages: texts.map((text) => ({ role: 'user', text })),
      sampling: { temperature: 0 },
      maxTokens: 0,
    }),
    vectorsOf: ({ messages }) => came.get(messages),
  };
}

/** The vectors with length 1, or why they can't be used. */
function check(
  vectors: Embedded['vectors'],
  count: number,
  dimensions: number = vectors[0]?.length ?? 0,
): Vectors {
  if (vectors.length !== count) return { fault: `${vectors.length} vectors for ${count} texts` };
  const units: Float32Array[] = [];
  for (const vector of vectors) {
    if (vector.length === 0) return { fault: 'a vector without numbers' };
    if (vector.length !== dimensions)
      return { fault: `a vector of ${vector.length} numbers, and those before have ${dimensions}` };
    const length = Math.hypot(...vector);
    if (!Number.isFinite(length)) return { fault: 'a vector with a number that is none (NaN or infinite)' };
    if (length === 0) return { fault: 'a vector of zeros' };
    units.push(Float32Array.from(vector, (number) => number / length));
  }
  return { vectors: units };
}
