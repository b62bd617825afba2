/** A size for people: whole megabytes below a gigabyte. */
export function bytes(n: number): string {
  if (n < 1e6) return `${Math.ceil(n / 1e3)} kB`;
  return n < 995e6 ? `${Math.round(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}
