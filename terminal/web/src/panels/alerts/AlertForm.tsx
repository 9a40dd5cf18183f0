/** Setting an alert on the selected instrument. */

import { useEffect, useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'
import { rupees } from '../../format/price'
import { COLUMN_WORDS, levelOf, type AlertColumn, type AlertDirection } from '../../state/alerts'
import { instrument as listing, selectedInstrument } from '../../state/selection'
import { useQuote } from '../../state/store'
import { nameOf } from '../../trading/names'
import { Check, Field, Select } from '../../ui/Field'
import { useLoaded } from '../../ui/useLoaded'
import { makeAlert } from './alertsApi'

const COLUMNS = Object.entries(COLUMN_WORDS) as [AlertColumn, string][]
const DIRECTIONS: [AlertDirection, string][] = [
  ['ABOVE', 'above'],
  ['BELOW', 'below'],
]
const UNITS: Record<AlertColumn, string> = { LAST_PRICE: 'rupees', CHANGE_PERCENT: 'percent', OPEN_INTEREST: 'units', VOLUME: 'units' }
const NOTE_LENGTH = 120

export function AlertForm({ onMade }: { onMade: () => void }) {
  const key = selectedInstrument.value
  if (key === null) return <p class="search-note">Select an instrument to set an alert on it.</p>
  return <FormFor key={key} instrument={key} onMade={onMade} />
}

function FormFor({ instrument, onMade }: { instrument: InstrumentKey; onMade: () => void }) {
  const [column, setColumn] = useState<AlertColumn>('LAST_PRICE')
  const [direction, setDirection] = useState<AlertDirection>('ABOVE')
  const [value, setValue] = useLastPrice(instrument)
  const [repeat, setRepeat] = useState(false)
  const [note, setNote] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const symbol = nameOf(useLoaded(() => listing(instrument), [instrument]).value, instrument)

  const submit = async (event: Event) => {
    event.preventDefault()
    if (levelOf(column, value) === null) return setError('Type a number.')
    setBusy(true)
    setError('')
    try {
      await makeAlert({ instrument, column, direction, value: value.trim(), repeat, note })
      setNote('')
      onMade()
    } catch (reason) {
      setError(sentence(reason))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="alert-form" onSubmit={(event) => void submit(event)} aria-label={`New alert on ${symbol}`}>
      <span class="alert-subject">{symbol}</span>
      <Select label="When" value={column} options={COLUMNS} onValue={(chosen) => setColumn(chosen as AlertColumn)} />
      <Select label="Is" value={direction} options={DIRECTIONS} onValue={(chosen) => setDirection(chosen as AlertDirection)} />
      <Field label={`Level in ${UNITS[column]}`} inputMode="decimal" value={value} onValue={setValue} error={error} required />
      <Field label="Note" value={note} onValue={setNote} maxLength={NOTE_LENGTH} />
      <Check label="Repeat" checked={repeat} onValue={setRepeat} />
      <button type="submit" class="button button-primary" disabled={busy} aria-busy={busy}>
        Set alert
      </button>
    </form>
  )
}

/** Begins with the price as it is when the instrument is chosen; what is typed stays. */
function useLastPrice(instrument: InstrumentKey): [string, (value: string) => void] {
  const last = useQuote(instrument)?.last_price ?? 0
  const [value, setValue] = useState('')
  const [touched, setTouched] = useState(false)
  useEffect(() => {
    if (!touched && !value && last) setValue(rupees(last))
  }, [last > 0])
  const type = (text: string) => {
    setTouched(true)
    setValue(text)
  }
  return [value, type]
}

