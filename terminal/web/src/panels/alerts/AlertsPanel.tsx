/** The user's alerts: standing and fired, kept true by the facts of the user's topic. */

import { useEffect, useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'
import { price } from '../../format/price'
import { day, time } from '../../format/time'
import { changesAlerts, condition, levelText } from '../../state/alerts'
import { notify } from '../../state/notifications'
import { select } from '../../state/selection'
import { listen } from '../../state/store'
import { labelOf } from '../../trading/names'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { Empty, ErrorNote, Loading } from '../../ui/Notes'
import { Tabs } from '../../ui/Tabs'
import { useLoaded } from '../../ui/useLoaded'
import type { PanelProps } from '../../workspace/panels'
import { AlertForm } from './AlertForm'
import { deleteAlert, firedAlerts, setActive, standingAlerts, type Alert, type Firing } from './alertsApi'

const STATUS_WORDS: Record<string, string> = { ACTIVE: 'Active', PAUSED: 'Paused', FIRED: 'Fired', EXPIRED: 'Expired' }
const TABS = [
  { id: 'standing', title: 'Alerts' },
  { id: 'fired', title: 'History' },
]

export function AlertsPanel(_: PanelProps) {
  const [tab, setTab] = useState('standing')
  const standing = useLoaded(standingAlerts, [])
  const fired = useLoaded(firedAlerts, [])
  const reload = () => {
    standing.reload()
    fired.reload()
  }
  useEffect(
    () => listen('user', (event) => (event.type === 'snapshot' || changesAlerts(event.facts)) && reload()),
    [standing.reload, fired.reload],
  )
  const shown = tab === 'standing' ? standing : fired
  return (
    <section data-panel="alerts" aria-label="Alerts">
      <AlertForm onMade={reload} />
      <Tabs label="Alerts" tabs={TABS} chosen={tab} onChoose={setTab} />
      {shown.error !== undefined && <ErrorNote error={shown.error} onRetry={shown.reload} />}
      {!shown.value && shown.loading && <Loading what="Loading alerts" />}
      <div class="panel-scroll">
        {tab === 'standing' && standing.value && <StandingTable alerts={standing.value} changed={reload} />}
        {tab === 'fired' && fired.value && <FiredTable firings={fired.value} />}
      </div>
    </section>
  )
}

function StandingTable({ alerts, changed }: { alerts: readonly Alert[]; changed: () => void }) {
  if (!alerts.length) return <Empty title="No alerts. Set one above; it is watched even when this page is closed." />
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th>Instrument</th>
          <th>When</th>
          <th>State</th>
          <th>Fired</th>
          <th>Note</th>
          <th>
            <span class="unseen">Change</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {alerts.map((alert) => (
          <tr key={alert.id}>
            <td>
              <Name instrument={alert.instrument} symbol={labelOf(alert)} />
            </td>
            <td>
              {condition(alert)}
              {alert.repeat && <span class="dim"> · repeating</span>}
            </td>
            <td class={alert.status === 'ACTIVE' ? 'up' : 'dim'}>{STATUS_WORDS[alert.status] ?? alert.status}</td>
            <td>{alert.fired_count ? `${alert.fired_count} × · ${time(alert.fired_at)}` : '–'}</td>
            <td class="dim">{alert.note}</td>
            <td class="number">
              <Acts alert={alert} changed={changed} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Acts({ alert, changed }: { alert: Alert; changed: () => void }) {
  const attempt = (change: Promise<unknown>) => change.then(changed, (error: unknown) => refuse(error))
  const active = alert.status === 'ACTIVE'
  const remove = async () => {
    const question = { title: 'Delete this alert?', text: `${labelOf(alert)}: ${condition(alert)}.`, action: 'Delete', danger: true }
    if (await confirm(question)) await attempt(deleteAlert(alert.id))
  }
  return (
    <>
      {alert.status !== 'EXPIRED' && (
        <Button small tone="quiet" onClick={() => void attempt(setActive(alert.id, !active))}>
          {active ? 'Pause' : 'Take up'}
        </Button>
      )}
      <Button small tone="quiet" onClick={() => void remove()}>
        Delete
      </Button>
    </>
  )
}

function FiredTable({ firings }: { firings: readonly Firing[] }) {
  if (!firings.length) return <Empty title="No alert has fired yet." />
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th>At</th>
          <th>Instrument</th>
          <th>When</th>
          <th class="number">Reached</th>
          <th class="number">Last price</th>
          <th>Note</th>
        </tr>
      </thead>
      <tbody>
        {firings.map((firing) => (
          <tr key={firing.id}>
            <td>
              {day(firing.at)} {time(firing.at)}
            </td>
            <td>
              <Name instrument={firing.instrument} symbol={labelOf(firing)} />
            </td>
            <td>{condition(firing)}</td>
            <td class="number">{levelText(firing.column, firing.reachedLevel)}</td>
            <td class="number">{price(Math.round(Number(firing.last_price) * 100))}</td>
            <td class="dim">{firing.note}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Name({ instrument, symbol }: { instrument: InstrumentKey; symbol: string }) {
  return (
    <button type="button" class="link-button" onClick={() => select(instrument)}>
      {symbol}
    </button>
  )
}

function refuse(error: unknown): void {
  notify({ tone: 'bad', title: 'The alert was not changed', text: sentence(error) })
}
