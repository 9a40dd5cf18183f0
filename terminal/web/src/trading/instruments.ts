/** The listings of what books name by key alone, asked for once and shared by all panels. */

import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

import type { Instrument, InstrumentKey } from '../api/types'
import { instrument } from '../state/selection'

const known = signal<ReadonlyMap<InstrumentKey, Instrument>>(new Map())

/** What is known of these; it grows as answers come. A listing that cannot be had leaves its key to be shown. */
export function useInstruments(keys: readonly InstrumentKey[]): ReadonlyMap<InstrumentKey, Instrument> {
  const wanted = [...new Set(keys)].sort().join()
  useEffect(() => {
    for (const key of wanted.split(',')) if (key && !known.peek().has(key)) void learn(key)
  }, [wanted])
  return known.value
}

export function useInstrument(key: InstrumentKey | null): Instrument | undefined {
  return useInstruments(key === null ? [] : [key]).get(key ?? '')
}

async function learn(key: InstrumentKey): Promise<void> {
  try {
    const found = await instrument(key)
    known.value = new Map(known.peek()).set(key, found)
  } catch {
    // its key says enough, and the next panel that names it asks again
  }
}
