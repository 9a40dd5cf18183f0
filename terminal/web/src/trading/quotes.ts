/** Live quotes of several instruments, each by its own topic. */

import { useEffect } from 'preact/hooks'

import type { InstrumentKey } from '../api/types'
import { quoteAt, type Quote } from '../state/quote'
import { subscribe, topicSignal } from '../state/store'

export function useQuotes(instruments: readonly InstrumentKey[]): ReadonlyMap<InstrumentKey, Quote> {
  const wanted = [...new Set(instruments)].sort().join()
  const keys = wanted ? wanted.split(',') : []
  useEffect(() => {
    const leaving = keys.map((key) => subscribe(topicOf(key)))
    return () => leaving.forEach((leave) => leave())
  }, [wanted])
  const found = new Map<InstrumentKey, Quote>()
  for (const key of keys) {
    const topic = topicSignal(topicOf(key)).value
    const quote = topic && quoteAt(topic, 0)
    if (quote) found.set(key, quote)
  }
  return found
}

function topicOf(instrument: InstrumentKey): string {
  return `instrument.${instrument}`
}
