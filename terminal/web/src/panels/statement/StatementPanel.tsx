/** The statements of the account in use. */

import type { TradingAccount } from '../../api/types'
import { date, day, minute } from '../../format/time'
import { currentAccount } from '../../state/accounts'
import { NoAccount } from '../../trading/Books'
import type { Column } from '../../trading/BookTable'
import { usePages } from '../../trading/pages'
import { PagedTable } from '../../trading/PagedTable'
import { Button } from '../../ui/Button'

interface Statement {
  id: number
  trading_date: string
  group: string
  created_at: string
}

export function StatementPanel() {
  const account = currentAccount.value
  return (
    <section class="book" data-panel="statement">
      {account === null ? <NoAccount /> : <Statements key={account.id} account={account} />}
    </section>
  )
}

function Statements({ account }: { account: TradingAccount }) {
  const pages = usePages<Statement>(`accounts/${account.id}/statements`)
  return (
    <>
      <div class="book-bar">
        <p class="book-dim">Written when a trading day is closed.</p>
        <Button small busy={pages.loading} onClick={pages.reload}>
          Read again
        </Button>
      </div>
      <PagedTable
        label="Statements"
        pages={pages}
        columns={COLUMNS}
        rowKey={(statement) => statement.id}
        none="No day of this account was closed yet"
      />
    </>
  )
}

const GROUPS: Readonly<Record<string, string>> = { EQUITY: 'Equity and derivatives', COMMODITY: 'Commodities' }

const COLUMNS: Column<Statement>[] = [
  { id: 'date', title: 'Trading day', cell: (each) => date(each.trading_date), sort: (each) => each.trading_date },
  { id: 'group', title: 'Market', cell: (each) => GROUPS[each.group] ?? each.group, sort: (each) => each.group },
  { id: 'written', title: 'Written', cell: (each) => `${day(each.created_at)} ${minute(each.created_at)}` },
  { id: 'page', title: 'To print', cell: (each) => <Link statement={each} kind="page" text="Page" /> },
  { id: 'file', title: 'As a file', cell: (each) => <Link statement={each} kind="file" text="CSV" /> },
]

function Link({ statement, kind, text }: { statement: Statement; kind: 'page' | 'file'; text: string }) {
  const named = `${text} of ${date(statement.trading_date)}, ${GROUPS[statement.group] ?? statement.group}`
  return (
    <a href={`/api/v2/statements/${statement.id}/${kind}`} target="_blank" rel="noopener" aria-label={named}>
      {text}
    </a>
  )
}
