/** The money of the account in use. */

import { useState } from 'preact/hooks'

import type { FundsBody } from '../../api/types'
import { money } from '../../format/price'
import { Books } from '../../trading/Books'
import { Tabs } from '../../ui/Tabs'
import { Ledger } from './Ledger'
import { Requests } from './Requests'

type Shown = 'REQUESTS' | 'LEDGER'

export function FundsPanel() {
  const [shown, setShown] = useState<Shown>('REQUESTS')
  return (
    <Books panel="funds">
      {(state, account) => (
        <>
          <Balance funds={state.funds} />
          <div class="book-bar">
            <Tabs
              label="What of the money"
              tabs={[
                { id: 'REQUESTS', title: 'Add and withdraw' },
                { id: 'LEDGER', title: 'Ledger' },
              ]}
              chosen={shown}
              onChoose={(id) => setShown(id as Shown)}
            />
          </div>
          {shown === 'REQUESTS' ? (
            <Requests key={account.id} account={account} funds={state.funds} />
          ) : (
            <Ledger key={account.id} account={account} cash={state.funds.cash} />
          )}
        </>
      )}
    </Books>
  )
}

function Balance({ funds }: { funds: FundsBody }) {
  return (
    <div class="balance">
      <dl class="tiles">
        <Tile name="Available" paise={funds.available - funds.floor} strong />
        <Tile name="Cash" paise={funds.cash} />
        <Tile name="Held by orders" paise={funds.held_margin} />
        <Tile name="Used by positions" paise={funds.used_margin} />
        {funds.floor > 0 && <Tile name="Must stay" paise={funds.floor} />}
      </dl>
      <Bound funds={funds} />
      {Boolean(funds.deficit) && (
        <p class="field-error" role="alert">
          The account is in deficit: until it is covered, positions may only be made smaller.
        </p>
      )}
    </div>
  )
}

function Tile({ name, paise, strong }: { name: string; paise: number; strong?: boolean }) {
  return (
    <div class={strong ? 'tile tile-strong' : 'tile'}>
      <dt>{name}</dt>
      <dd class={paise < 0 ? 'down' : undefined}>{money(paise)}</dd>
    </div>
  )
}

/** What share of the cash is bound, as a bar with its words. */
function Bound({ funds }: { funds: FundsBody }) {
  if (funds.cash <= 0) return null
  const [used, held] = [share(funds.used_margin, funds.cash), share(funds.held_margin, funds.cash)]
  return (
    <div class="bound" role="img" aria-label={`${used} % of the cash is used by positions, ${held} % held by orders`}>
      <svg viewBox="0 0 100 4" preserveAspectRatio="none">
        <rect class="bound-used" width={used} height="4" />
        <rect class="bound-held" x={used} width={Math.min(held, 100 - used)} height="4" />
      </svg>
      <span class="book-dim">
        {used} % used, {held} % held
      </span>
    </div>
  )
}

function share(part: number, whole: number): number {
  return Math.min(Math.max(Math.round((part / whole) * 100), 0), 100)
}
