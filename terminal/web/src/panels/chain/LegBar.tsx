/** What can be done with the contract that is active in the table, for who looks for it below rather than on a key. */

import type { Leg } from '../../analytics/chain'
import { date } from '../../format/time'
import { Button } from '../../ui/Button'
import { openPanel, openTicket } from '../../workspace/panels'
import { addToWatchlist } from './watching'

export function LegBar({ leg, underlying, expiry }: { leg: Leg; underlying: string; expiry: string }) {
  const { instrument } = leg
  return (
    <footer class="chain-leg">
      <strong>
        {underlying} {leg.strike / 100} {leg.right === 'CALL' ? 'CE' : 'PE'} <small>{date(expiry)}</small>
      </strong>
      <Button small tone="buy" onClick={() => openTicket({ instrument, side: 'BUY' })}>
        Buy
      </Button>
      <Button small tone="sell" onClick={() => openTicket({ instrument, side: 'SELL' })}>
        Sell
      </Button>
      <Button small onClick={() => openPanel('chart')}>
        Chart
      </Button>
      <Button small onClick={() => openPanel('depth')}>
        Depth
      </Button>
      <Button small onClick={() => void addToWatchlist(instrument)}>
        Watch
      </Button>
      <span class="chain-keys" aria-hidden="true">
        <kbd>↑↓←→</kbd> move <kbd>Enter</kbd> buy <kbd>Shift Enter</kbd> sell <kbd>W</kbd> watch <kbd>Home</kbd> ATM
      </span>
    </footer>
  )
}
