/** The order book of the account in use. */

import { useMemo, useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { Instrument, InstrumentKey, OrderBody, TradingAccount } from '../../api/types'
import type { AccountState } from '../../state/account'
import { Books } from '../../trading/Books'
import { BookTable } from '../../trading/BookTable'
import { useInstruments } from '../../trading/instruments'
import { matching, merged, orderFromRest, type Filter } from '../../trading/orders'
import { isLive } from '../../trading/words'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { Field } from '../../ui/Field'
import { Empty, ErrorNote } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { nameOf } from '../../trading/names'
import { cancelAll, cancelOrder, useEarlierOrders } from './asking'
import { columnsOf } from './columns'
import { EditRow } from './EditRow'
import { History } from './History'

export function OrdersPanel() {
  return (
    <Books panel="orders">{(state, account) => <OrderBook key={account.id} state={state} account={account} />}</Books>
  )
}

type Opened = { what: 'EDIT' | 'HISTORY'; order: number } | null

function OrderBook({ state, account }: { state: AccountState; account: TradingAccount }) {
  const [filter, setFilter] = useState<Filter>({ only: 'LIVE', text: '' })
  const [opened, setOpened] = useState<Opened>(null)
  const [refused, setRefused] = useState<unknown>(null)
  const earlier = useEarlierOrders(account.id, filter.only === 'ALL')
  const book = useMemo(
    () => merged(state.orders.values(), earlier.rows.map(orderFromRest)),
    [state.orders, earlier.rows],
  )
  const listings = useInstruments(book.map((order) => order.instrument))
  const shown = matching(book, filter, (order) => symbolOf(listings, order))
  const trying = (asking: Promise<unknown>) => asking.then(() => setRefused(null), setRefused)
  const columns = columnsOf(listings, account.can_trade, {
    edit: (order) => setOpened({ what: 'EDIT', order: order.id }),
    cancel: (order) => void trying(cancelOrder(order)),
    history: (order) => setOpened({ what: 'HISTORY', order: order.id }),
  })
  const open = book.find((order) => order.id === opened?.order)
  const live = book.filter((order) => isLive(order.status)).length
  return (
    <>
      <Bar
        filter={filter}
        live={live}
        onFilter={setFilter}
        onCancelAll={() => void trying(askCancelAll(account, live))}
      />
      {refused !== null && <ErrorNote error={sentence(refused)} />}
      {earlier.error !== undefined && <ErrorNote error={earlier.error} onRetry={earlier.reload} />}
      {shown.length ? (
        <BookTable
          label="Orders"
          columns={columns}
          rows={shown}
          rowKey={(order) => order.id}
          rowClass={(order) => (isLive(order.status) ? '' : 'book-ended')}
          opened={(order) =>
            opened?.what === 'EDIT' && order.id === opened.order ? (
              <EditRow order={order} listing={listings.get(order.instrument)} onDone={() => setOpened(null)} />
            ) : null
          }
        />
      ) : (
        <NoOrders filter={filter} onAll={() => setFilter({ only: 'ALL', text: '' })} />
      )}
      {filter.only === 'ALL' && earlier.more && (
        <Button small class="book-more" busy={earlier.loading} onClick={earlier.loadMore}>
          Load earlier ones
        </Button>
      )}
      {opened?.what === 'HISTORY' && open && (
        <History order={open} symbol={symbolOf(listings, open)} onClose={() => setOpened(null)} />
      )}
    </>
  )
}

interface BarProps {
  filter: Filter
  live: number
  onFilter: (filter: Filter) => void
  onCancelAll: () => void
}

function Bar({ filter, live, onFilter, onCancelAll }: BarProps) {
  return (
    <div class="book-bar">
      <Tabs
        label="Which orders"
        tabs={[
          { id: 'LIVE', title: `Live ${live}` },
          { id: 'ALL', title: 'All' },
        ]}
        chosen={filter.only}
        onChoose={(only) => onFilter({ ...filter, only: only as Filter['only'] })}
      />
      <Field
        label="Find in the orders"
        hideLabel
        type="search"
        placeholder="Find: nifty buy"
        value={filter.text}
        onValue={(text) => onFilter({ ...filter, text })}
      />
      <Button tone="danger" small disabled={live === 0} onClick={onCancelAll}>
        Cancel all
      </Button>
    </div>
  )
}

function NoOrders({ filter, onAll }: { filter: Filter; onAll: () => void }) {
  if (filter.text) return <Empty title={`No order has “${filter.text}” in it`} />
  if (filter.only === 'ALL') return <Empty title="No orders yet">Choose an instrument and press B or S.</Empty>
  return (
    <Empty title="No open orders">
      <Button small onClick={onAll}>
        Show all
      </Button>
    </Empty>
  )
}

function symbolOf(listings: ReadonlyMap<InstrumentKey, Instrument>, order: OrderBody): string {
  return nameOf(listings.get(order.instrument), order.instrument)
}

async function askCancelAll(account: TradingAccount, live: number): Promise<void> {
  const agreed = await confirm({
    title: 'Cancel all open orders?',
    text: `${live} ${live === 1 ? 'order' : 'orders'} of ${account.name} will be asked to end. Positions stay.`,
    action: live === 1 ? 'Cancel 1 order' : `Cancel ${live} orders`,
    danger: true,
  })
  if (agreed) await cancelAll(account.id)
}
