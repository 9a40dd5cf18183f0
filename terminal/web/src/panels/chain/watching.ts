/** Puts one contract into the user's first watchlist, and says so. */

import { api, sentence } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'
import { notify } from '../../state/notifications'

export async function addToWatchlist(instrument: InstrumentKey): Promise<void> {
  try {
    await api.post('watchlist/add', { instruments: [instrument], instrument_only: true })
    notify({ tone: 'good', title: 'Added to your watchlist', text: '' })
  } catch (error) {
    notify({ tone: 'bad', title: 'Not added to the watchlist', text: sentence(error) })
  }
}
