/** The settled shares of the account in use. */

import type { ComponentChildren } from 'preact'

import { api } from '../../api/rest'
import type { InstrumentKey, TradingAccount } from '../../api/types'
import { money, paise, percent, price, tone } from '../../format/price'
import { quantity } from '../../format/quantity'
import { currentAccount } from '../../state/accounts'
import { change, type Quote } from '../../state/quote'
import { select } from '../../state/selection'
import { NoAccount } from '../../trading/Books'
import { BookTable, type Column } from '../../trading/BookTable'
import { markOf, QuotedPrice } from '../../trading/LastPrice'
import { Gain, InstrumentName } from '../../trading/pieces'
import { useQuotes } from '../../trading/quotes'
import { Button } from '../../ui/Button'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { useLoaded } from '../../ui/useLoaded'
import { openTicket } from '../../workspace/panels'

interface Holding {
  instrument: InstrumentKey
  symbol: string
  quantity: number
  cost: string
}

/** A holding in paise beside its price; null: it has none. */
interface Valued extends Omit<Holding, 'cost'> {
  cost: number
  quote: Quote | undefined
  value: number | null
  gain: number | null
  day: number | null
}

export function HoldingsPanel() {
  const account = currentAccount.value
  return (
    <section class="book" data-panel="holdings">
      {account === null ? <NoAccount /> : <HoldingBook key={account.id} account={account} />}
    </section>
  )
}

function HoldingBook({ account }: { account: TradingAccount }) {
  const holdings = useLoaded(() => api.get<Holding[]>(`accounts/${account.id}/holdings`), [account.id])
  const quotes = useQuotes(holdings.value?.map((each) => each.instrument) ?? [])
  if (holdings.error !== undefined) return <ErrorNote error={holdings.error} onRetry={holdings.reload} />
  if (holdings.value === undefined) return <Loading what="Reading the holdings" />
  if (!holdings.value.length) {
    return <Empty title="No holdings">Shares bought for delivery arrive here when their trade is settled.</Empty>
  }
  const rows = holdings.value.map((each) => valued(each, quotes.get(each.instrument)))
  return (
    <>
      <Totals rows={rows} onReload={holdings.reload} />
      <BookTable label="Holdings" columns={columnsOf(account.can_trade)} rows={rows} rowKey={(row) => row.instrument} />
    </>
  )
}

function valued(holding: Holding, quote: Quote | undefined): Valued {
  const cost = paise(holding.cost) ?? 0
  const mark = markOf(quote)
  const value = mark === null ? null : mark * holding.quantity
  const points = quote ? change(quote) : null
  const day = points === null ? null : points * holding.quantity
  return { ...holding, cost, quote, value, gain: value === null ? null : value - cost, day }
}

function Totals({ rows, onReload }: { rows: readonly Valued[]; onReload: () => void }) {
  const invested = rows.reduce((sum, row) => sum + row.cost, 0)
  const known = rows.filter((row) => row.value !== null)
  return (
    <div class="book-bar">
      <dl class="book-totals">
        <Total name="Invested">{money(invested)}</Total>
        <Total name="Value">{money(sum(known, 'value'))}</Total>
        <Total name="P&L">
          <Gain paise={sum(known, 'gain')} />
        </Total>
        <Total name="Day">
          <Gain paise={sum(known, 'day')} />
        </Total>
        {known.length < rows.length && <dd class="book-dim">{rows.length - known.length} without a price</dd>}
      </dl>
      <Button small onClick={onReload}>
        Read again
      </Button>
    </div>
  )
}

function Total({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function sum(rows: readonly Valued[], name: 'value' | 'gain' | 'day'): number {
  return rows.reduce((total, row) => total + (row[name] ?? 0), 0)
}

function columnsOf(mayTrade: boolean): Column<Valued>[] {
  return [
    {
      id: 'instrument',
      title: 'Share',
      cell: (row) => <InstrumentName name={row.symbol} onChoose={() => select(row.instrument)} />,
      sort: (row) => row.symbol,
    },
    {
      id: 'quantity',
      title: 'Quantity',
      figure: true,
      cell: (row) => quantity(row.quantity),
      sort: (row) => row.quantity,
    },
    { id: 'average', title: 'Average cost', figure: true, cell: (row) => price(averageOf(row)), sort: averageOf },
    { id: 'last', title: 'LTP', figure: true, cell: (row) => <QuotedPrice quote={row.quote} /> },
    { id: 'cost', title: 'Invested', figure: true, cell: (row) => money(row.cost), sort: (row) => row.cost },
    { id: 'value', title: 'Value', figure: true, cell: (row) => money(row.value), sort: (row) => row.value },
    { id: 'gain', title: 'P&L', figure: true, cell: (row) => <Gain paise={row.gain} />, sort: (row) => row.gain },
    {
      id: 'share',
      title: 'P&L %',
      figure: true,
      cell: (row) => <span class={tone(row.gain)}>{percent(shareOf(row))}</span>,
      sort: shareOf,
    },
    { id: 'day', title: 'Day', figure: true, cell: (row) => <Gain paise={row.day} />, sort: (row) => row.day },
    { id: 'actions', title: '', cell: (row) => mayTrade && <Trade row={row} /> },
  ]
}

function averageOf(row: Valued): number | null {
  return row.quantity ? Math.round(row.cost / row.quantity) : null
}

function shareOf(row: Valued): number | null {
  return row.gain === null || row.cost === 0 ? null : (row.gain / row.cost) * 100
}

function Trade({ row }: { row: Valued }) {
  const open = (side: 'BUY' | 'SELL') =>
    openTicket({ instrument: row.instrument, side, product: 'CNC', ...(side === 'SELL' && { quantity: row.quantity }) })
  return (
    <span class="book-actions">
      <Button small tone="quiet" aria-label={`Buy more ${row.symbol}`} onClick={() => open('BUY')}>
        Buy
      </Button>
      <Button small tone="quiet" aria-label={`Sell ${row.symbol}`} onClick={() => open('SELL')}>
        Sell
      </Button>
    </span>
  )
}
