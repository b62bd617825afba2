import { ModelFault, type FaultKind } from './port.ts';
import { askedToWaitMs } from './retry.ts';
import { redact } from './secrets.ts';

interface HttpError {
  status?: number;
  code?: string;
  type?: string;
  message?: string;
  headers?: Headers | Record<string, string>;
  error?: { code?: string; type?: string };
  cause?: unknown;
}

/** What a provider says, on one line, without what the client puts around it. */
const inShort = (message: string): string =>
  redact(message)
    .replace(/Troubleshooting URL:.*$/s, '')
    .replace(/^\d{3} /, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);

/** A provider's error in our kinds: by HTTP status, the provider's own code, or the network's. */
export function toFault(error: unknown): ModelFault {
  const { status, message = String(error), headers, error: body, code } = error as HttpError;
  const said = inShort(message);
  const options = { retryAfterMs: askedToWaitMs((name) => headerOf(headers, name)), cause: error };
  const providerCode = `${code ?? ''} ${body?.code ?? ''} ${body?.type ?? ''}`;
  // What the client trips over was answered, but not by a model.
  if (error instanceof TypeError || error instanceof SyntaxError)
    return new ModelFault('server', 'the reply is no chat completion; is the base URL right?', options);
  if (status === undefined) return networkFault(error as HttpError, said, options);
  if (status >= 300 && status < 400) {
    const to = headerOf(headers, 'location') ?? 'nowhere';
    return new ModelFault('not-found', `HTTP ${status}: the address leads on to ${redact(to)}`, options);
  }
  const kind: FaultKind =
    /insufficient_quota|billing|credit/i.test(providerCode) || status === 402
      ? 'exhausted'
      : status === 429
        ? 'rate-limit'
        : status === 503 || status === 529
          ? 'overloaded'
          : status === 401 || status === 403
            ? 'auth'
            : status === 404
              ? 'not-found'
              : status === 408 || status === 504
                ? 'timeout'
                : status >= 500
                  ? 'server'
                  : 'bad-request';
  return new ModelFault(kind, `HTTP ${status}: ${said}`, options);
}

/** The largest reply that is read, in bytes: a hundred times what the longest of ours takes. */
export const LARGEST = 10e6;

/** Codes of connections that never came about. */
const unreached = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|ENETDOWN|EHOSTUNREACH|CONNECT_TIMEOUT|CERT/;

function networkFault(
  error: HttpError,
  said: string,
  options: { retryAfterMs: number | undefined; cause: unknown },
): ModelFault {
  let deepest: HttpError = error;
  while (deepest.cause && typeof deepest.cause === 'object') deepest = deepest.cause as HttpError;
  const code = deepest.code ?? error.code ?? '';
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
    return new ModelFault('server', `a reply of more than ${LARGEST / 1e6} MB`, options);
  const kind: FaultKind = /TIMEOUT|ETIMEDOUT/.test(code) || /timed? ?out/i.test(said) ? 'timeout' : 'network';
  return new ModelFault(kind, `${inShort(deepest.message ?? said)}${code ? ` (${code})` : ''}`, {
    ...options,
    unseen: unreached.test(code),
  });
}

const headerOf = (headers: HttpError['headers'], name: string): string | undefined =>
  typeof headers?.get === 'function'
    ? ((headers as Headers).get(name) ?? undefined)
    : (headers as Record<string, string> | undefined)?.[name];
