/** Which instrument a panel shows: its own when it is pinned, else the one selected anywhere. */

import '../styles/market.css'

import { useEffect, useState } from 'preact/hooks'

import type { Instrument, InstrumentKey } from '../api/types'
import { instrument as listing, selectedInstrument } from '../state/selection'
import type { PanelProps } from './panels'

export function followedInstrument(params: PanelProps['params']): InstrumentKey | null {
  return params.instrument ?? selectedInstrument.value
}

/** The listing of an instrument; undefined until it came, an Error when it did not. */
export function useListing(key: InstrumentKey | null): Instrument | Error | undefined {
  const [known, setKnown] = useState<{ key: InstrumentKey; listing: Instrument | Error } | null>(null)
  useEffect(() => {
    if (!key) return undefined
    let shown = true
    listing(key).then(
      (found) => shown && setKnown({ key, listing: found }),
      (error: Error) => shown && setKnown({ key, listing: error }),
    )
    return () => {
      shown = false
    }
  }, [key])
  return known !== null && known.key === key ? known.listing : undefined
}

/** Holds the panel on what it shows now; pressed again it follows the selection. */
export function PinButton({ params, setParams, shown }: Pick<PanelProps, 'params' | 'setParams'> & { shown: InstrumentKey }) {
  const pinned = params.instrument !== undefined
  return (
    <button
      type="button"
      class="pin"
      aria-pressed={pinned}
      title={pinned ? 'Pinned. Press to follow the selected instrument' : 'Follows the selected instrument. Press to pin'}
      onClick={() => setParams({ ...params, instrument: pinned ? undefined : shown })}
    >
      {pinned ? 'Pinned' : 'Pin'}
    </button>
  )
}
