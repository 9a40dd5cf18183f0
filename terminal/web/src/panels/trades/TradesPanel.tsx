/** The fills of the account in use. */

import { useState } from 'preact/hooks'

import type { Instrument, InstrumentKey, TradeBody } from '../../api/types'
import { money, price } from '../../format/price'
import { quantity } from '../../format/quantity'
import { day, time } from '../../format/time'
import { tradeKey, type AccountState } from '../../state/account'
import { select } from '../../state/selection'
import { Books } from '../../trading/Books'
import { BookTable, type Column } from '../../trading/BookTable'
import { useInstruments } from '../../trading/instruments'
import { tradeFromRest, turnover, type RestTrade } from '../../trading/orders'
import { usePages } from '../../trading/pages'
import { PagedTable } from '../../trading/PagedTable'
import { InstrumentName, SideChip } from '../../trading/pieces'
import { PRODUCT_WORDS, said } from '../../trading/words'
import { Empty } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { nameOf } from '../../trading/names'

type Shown = 'TODAY' | 'ALL'

export function TradesPanel() {
  const [shown, setShown] = useState<Shown>('TODAY')
  return (
    <Books panel="trades">
      {(state, account) => (
        <>
          <div class="book-bar">
            <Tabs
              label="Which trades"
              tabs={[
                { id: 'TODAY', title: `Today ${state.trades.size}` },
                { id: 'ALL', title: 'All' },
              ]}
              chosen={shown}
              onChoose={(id) => setShown(id as Shown)}
            />
          </div>
          {shown === 'TODAY' ? <Today state={state} /> : <All key={account.id} account={account.id} />}
        </>
      )}
    </Books>
  )
}

function Today({ state }: { state: AccountState }) {
  const trades = [...state.trades.values()].reverse()
  const listings = useInstruments(trades.map((trade) => trade.instrument))
  if (!trades.length) return <Empty title="No trades today">An order that fills appears here at once.</Empty>
  return (
    <BookTable
      label="Today's trades"
      columns={columnsOf(listings)}
      rows={trades}
      rowKey={tradeKey}
      footer={<Turnover trades={trades} />}
    />
  )
}

function All({ account }: { account: number }) {
  const pages = usePages<RestTrade>('trades', { account })
  const trades = pages.rows.map(tradeFromRest)
  const listings = useInstruments(trades.map((trade) => trade.instrument))
  return (
    <PagedTable
      label="Trades"
      pages={{ ...pages, rows: trades }}
      columns={columnsOf(listings)}
      rowKey={tradeKey}
      none="No trades yet"
    />
  )
}

function Turnover({ trades }: { trades: readonly TradeBody[] }) {
  const [bought, sold] = [turnover(trades, 'BUY'), turnover(trades, 'SELL')]
  return (
    <tr>
      <td colSpan={8}>
        Bought {quantity(bought.quantity)} for {money(bought.value)} · sold {quantity(sold.quantity)} for{' '}
        {money(sold.value)}
      </td>
    </tr>
  )
}

function columnsOf(listings: ReadonlyMap<InstrumentKey, Instrument>): Column<TradeBody>[] {
  const symbol = (trade: TradeBody) => nameOf(listings.get(trade.instrument), trade.instrument)
  return [
    {
      id: 'time',
      title: 'Time',
      cell: (trade) => <time title={day(trade.at)}>{time(trade.at)}</time>,
      sort: (trade) => trade.at,
    },
    { id: 'side', title: 'Side', cell: (trade) => <SideChip side={trade.side} />, sort: (trade) => trade.side },
    {
      id: 'instrument',
      title: 'Instrument',
      cell: (trade) => <InstrumentName name={symbol(trade)} onChoose={() => select(trade.instrument)} />,
      sort: symbol,
    },
    {
      id: 'product',
      title: 'Product',
      cell: (trade) => said(PRODUCT_WORDS, trade.product),
      sort: (trade) => trade.product,
    },
    {
      id: 'quantity',
      title: 'Quantity',
      figure: true,
      cell: (trade) => quantity(trade.quantity),
      sort: (trade) => trade.quantity,
    },
    { id: 'price', title: 'Price', figure: true, cell: (trade) => price(trade.price), sort: (trade) => trade.price },
    { id: 'value', title: 'Value', figure: true, cell: (trade) => money(valueOf(trade)), sort: valueOf },
    { id: 'order', title: 'Order', figure: true, cell: (trade) => trade.order, sort: (trade) => trade.order },
  ]
}

function valueOf(trade: TradeBody): number {
  return trade.quantity * trade.price * trade.multiplier
}
