/** PURE: finding named things by the beginnings of their words. */

/** Every word must begin some word of the name. */
export function matching<Named extends { name: string }>(those: readonly Named[], words: string): Named[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  return those.filter(({ name }) => {
    const own = name.toLowerCase().split(/\s+/)
    return wanted.every((word) => own.some((each) => each.startsWith(word)))
  })
}
