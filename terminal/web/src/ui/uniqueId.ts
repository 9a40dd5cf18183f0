/** An id that no other element of the page has: each panel is a root of its own, and Preact's ids repeat between roots. */

import { useState } from 'preact/hooks'

let made = 0

export function useUniqueId(): string {
  const [id] = useState(() => `id-${++made}`)
  return id
}
