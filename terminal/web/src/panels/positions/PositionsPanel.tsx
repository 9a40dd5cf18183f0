/** The positions of the account in use, marked at the prices of its topic. */

import { useState } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import type { Instrument, PositionBody, TradingAccount } from '../../api/types'
import { signed } from '../../format/price'
import { positionKey, type AccountState } from '../../state/account'
import { Books } from '../../trading/Books'
import { BookTable } from '../../trading/BookTable'
import { useInstruments } from '../../trading/instruments'
import { accountQuote, markOf } from '../../trading/LastPrice'
import { Gain } from '../../trading/pieces'
import { profitOf, totalOf } from '../../trading/positions'
import { PRODUCT_WORDS, said } from '../../trading/words'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { Empty, ErrorNote } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { nameOf } from '../../trading/names'
import { columnsOf, type Marked } from './columns'
import { ConvertDialog } from './ConvertDialog'

export function PositionsPanel() {
  return (
    <Books panel="positions">
      {(state, account) => <PositionBook key={account.id} state={state} account={account} />}
    </Books>
  )
}

type Shown = 'OPEN' | 'DAY'

function PositionBook({ state, account }: { state: AccountState; account: TradingAccount }) {
  const [shown, setShown] = useState<Shown>('DAY')
  const [converting, setConverting] = useState<PositionBody | null>(null)
  const [refused, setRefused] = useState<unknown>(null)
  const all = [...state.positions.values()]
  const open = all.filter((position) => position.quantity !== 0)
  const listings = useInstruments(all.map((position) => position.instrument))
  const rows = (shown === 'OPEN' ? open : all).map(marked)
  const exit = (those: readonly PositionBody[]) =>
    void exitPositions(account, those, all, listings).then(() => setRefused(null), setRefused)
  const columns = columnsOf(listings, account.can_trade, {
    exit: (position) => exit([position]),
    convert: setConverting,
  })
  return (
    <>
      <div class="book-bar">
        <Tabs
          label="Which positions"
          tabs={[
            { id: 'DAY', title: `Today's ${all.length}` },
            { id: 'OPEN', title: `Open ${open.length}` },
          ]}
          chosen={shown}
          onChoose={(id) => setShown(id as Shown)}
        />
        <Totals rows={all.map(marked)} />
        <Button tone="danger" small disabled={!open.length} onClick={() => exit(open)}>
          Exit all
        </Button>
      </div>
      {refused !== null && <ErrorNote error={sentence(refused)} />}
      {rows.length ? (
        <BookTable
          label="Positions"
          columns={columns}
          rows={rows}
          rowKey={({ position }) => positionKey(position)}
          rowClass={({ position }) => (position.quantity ? '' : 'book-ended')}
        />
      ) : (
        <Empty title="No positions">
          What fills becomes a position, and its profit is counted here as prices move.
        </Empty>
      )}
      {converting && (
        <ConvertDialog
          account={account}
          position={converting}
          listing={listings.get(converting.instrument)}
          onClose={() => setConverting(null)}
        />
      )}
    </>
  )
}

function marked(position: PositionBody): Marked {
  const quote = accountQuote(position.instrument)
  return {
    position,
    quote,
    profit: profitOf({ ...position, carried_price: position.carried_price ?? 0 }, markOf(quote)),
  }
}

function Totals({ rows }: { rows: readonly Marked[] }) {
  const total = totalOf(rows.map(({ profit }) => profit))
  return (
    <dl class="book-totals" title={total.complete ? undefined : 'A position without a price is left out'}>
      <Total name="Day" paise={total.day} />
      <Total name="Unrealised" paise={total.unrealised} />
      <Total name="Realised" paise={total.realised} />
      {!total.complete && <dd class="book-dim">incomplete</dd>}
    </dl>
  )
}

function Total({ name, paise }: { name: string; paise: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Gain paise={paise} />
      </dd>
    </div>
  )
}

/** Closing is by instrument: its other products would close with it, and that is said. */
async function exitPositions(
  account: TradingAccount,
  those: readonly PositionBody[],
  all: readonly PositionBody[],
  listings: ReadonlyMap<string, Instrument>,
): Promise<void> {
  const instruments = [...new Set(those.map((position) => position.instrument))]
  const closed = all.filter((position) => position.quantity !== 0 && instruments.includes(position.instrument))
  const names = closed.map((position) => {
    const symbol = nameOf(listings.get(position.instrument), position.instrument)
    return `${signed(position.quantity * 100).replace(/\.00$/, '')} ${symbol} (${said(PRODUCT_WORDS, position.product)})`
  })
  const agreed = await confirm({
    title: closed.length === 1 ? 'Exit this position?' : `Exit ${closed.length} positions?`,
    text: `${names.join(', ')}: open orders in them are cancelled, then market orders with price protection close them.`,
    action: closed.length === 1 ? 'Exit' : `Exit ${closed.length}`,
    danger: true,
  })
  if (agreed)
    await api.post('positions/square-off', { account: account.id, instruments, reason: 'Exit from the terminal' })
}
