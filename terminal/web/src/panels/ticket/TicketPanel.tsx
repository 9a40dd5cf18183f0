/** The ticket that was asked for last, or how to open one. */

import { currentAccount } from '../../state/accounts'
import { selectedInstrument, ticketRequest, type TicketRequest } from '../../state/selection'
import { CanNotTrade, NoAccount } from '../../trading/Books'
import { Button } from '../../ui/Button'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { useListing } from '../../workspace/following'
import { openPanel, openTicket } from '../../workspace/panels'
import { nameOf } from '../../trading/names'
import { Ticket } from './Ticket'
import { useTerms } from './terms'
import './ticket.css'

export function TicketPanel() {
  const account = currentAccount.value
  const request = ticketRequest.value
  return (
    <section class="book" data-panel="ticket">
      {account === null ? (
        <NoAccount />
      ) : !account.can_trade ? (
        <CanNotTrade />
      ) : request === null ? (
        <Closed />
      ) : (
        <Opened key={request} request={request} />
      )}
    </section>
  )
}

function Closed() {
  const instrument = selectedInstrument.value
  const listing = useListing(instrument)
  if (instrument === null || listing === undefined || listing instanceof Error) {
    return <Empty title="No order open">Choose an instrument, then press B to buy or S to sell.</Empty>
  }
  return (
    <Empty title={nameOf(listing, listing.instrument)}>
      <p>B buys, S sells, Esc closes.</p>
      <div class="ticket-sides">
        <Button tone="buy" onClick={() => openTicket({ instrument, side: 'BUY' })}>
          Buy
        </Button>
        <Button tone="sell" onClick={() => openTicket({ instrument, side: 'SELL' })}>
          Sell
        </Button>
      </div>
    </Empty>
  )
}

function Opened({ request }: { request: TicketRequest }) {
  const listing = useListing(request.instrument)
  const terms = useTerms(request.instrument)
  if (listing instanceof Error) return <ErrorNote error={listing} />
  if (terms.value === undefined && terms.error !== undefined) {
    return <ErrorNote error={terms.error} onRetry={terms.reload} />
  }
  if (listing === undefined || terms.value === undefined) return <Loading what="Reading what orders may say" />
  if (terms.value.products.length === 0) {
    return (
      <Empty title={`${nameOf(listing, listing.instrument)} cannot be traded itself`}>
        <Button small onClick={() => openPanel('chain')}>
          Open its option chain
        </Button>
      </Empty>
    )
  }
  return <Ticket request={request} listing={listing} terms={terms.value} />
}
