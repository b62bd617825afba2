import { rememberSecrets } from '../models/secrets.ts';

/** What the environment and `.env` say about models; read once, before anything else of a command. */
export function modelEnvironment(baseUrlFlag: string | undefined): {
  baseUrl: string | undefined;
  apiKey: string | undefined;
  named: string | undefined;
} {
  rememberSecrets();
  const { OPENAI_BASE_URL, OPENAI_API_KEY, CULTUREPARK_MODEL } = process.env;
  return {
    baseUrl: baseUrlFlag ?? (OPENAI_BASE_URL || undefined),
    apiKey: OPENAI_API_KEY || undefined,
    named: CULTUREPARK_MODEL || undefined,
  };
}
