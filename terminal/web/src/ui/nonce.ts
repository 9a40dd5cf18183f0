/** The page's style nonce: libraries that write their own style elements need it under our content policy. */

/** Undefined on the development server, which has no policy. */
export function styleNonce(): string | undefined {
  return document.querySelector<HTMLLinkElement>('link[nonce]')?.nonce || undefined
}
