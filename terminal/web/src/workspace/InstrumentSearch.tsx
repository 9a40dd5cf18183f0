/** Search by words: "nifty 26000 ce", "reliance", "crude fut". A combobox by the ARIA pattern: arrows, Enter, Esc. */

import { useEffect, useRef, useState } from 'preact/hooks'

import { api, sentence, withQuery } from '../api/rest'
import type { Instrument, Page } from '../api/types'
import { date } from '../format/time'
import { remember } from '../state/selection'
import { segmentWord } from '../state/marketStatus'
import { useUniqueId } from '../ui/uniqueId'

const PAUSE_MILLISECONDS = 120
/** Between two letters of a quick typist. */
const SHOWN = 20

export interface InstrumentSearchProps {
  label: string
  placeholder?: string
  /** Of the input, for a shortcut that goes to it. */
  id?: string
  onChoose: (instrument: Instrument) => void
  autofocus?: boolean
}

type Found = { state: 'nothing' | 'asking' | 'failed'; text: string } | { state: 'found'; results: readonly Instrument[] }

const NOTHING: Found = { state: 'nothing', text: '' }

export function InstrumentSearch({ label, placeholder, id, onChoose, autofocus }: InstrumentSearchProps) {
  const [words, setWords] = useState('')
  const [open, setOpen] = useState(false)
  const [place, setPlace] = useState(0)
  const found = useFound(words)
  const list = useUniqueId()
  const input = useRef<HTMLInputElement>(null)
  const results = found.state === 'found' ? found.results : []

  useEffect(() => setPlace(0), [found])
  const choose = (instrument: Instrument | undefined) => {
    if (!instrument) return
    setWords('')
    setOpen(false)
    onChoose(instrument)
  }
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && results.length) setPlace((place + step + results.length) % results.length)
    else if (event.key === 'Enter') choose(results[place])
    else if (event.key === 'Escape') {
      setWords('')
      setOpen(false)
      input.current?.blur()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
  const shown = open && words.trim() !== ''
  return (
    <div class="search">
      <input
        ref={input}
        id={id}
        class="input"
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded={shown}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown && results[place] ? `${list}-${place}` : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        value={words}
        autofocus={autofocus}
        onInput={(event) => {
          setWords(event.currentTarget.value)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      {shown && (
        <div class="search-list" id={list} role="listbox" aria-label="Instruments found">
          {found.state !== 'found' && <SearchNote found={found} />}
          {found.state === 'found' && !results.length && <p class="search-note">Nothing listed has these words.</p>}
          {results.map((each, index) => (
            <Result
              key={each.instrument}
              id={`${list}-${index}`}
              instrument={each}
              chosen={index === place}
              onChoose={() => choose(each)}
            />
          ))}
        </div>
      )}
    </div>
  )
}

function SearchNote({ found }: { found: Found }) {
  if (found.state === 'asking') return <p class="search-note">Searching …</p>
  return found.state === 'failed' ? <p class="search-note">{found.text}</p> : null
}

function Result(props: { id: string; instrument: Instrument; chosen: boolean; onChoose: () => void }) {
  const { instrument } = props
  return (
    <div
      id={props.id}
      class="menu-item"
      role="option"
      aria-selected={props.chosen}
      onPointerDown={(event) => {
        event.preventDefault() // the input keeps its focus until the choice is made
        props.onChoose()
      }}
    >
      <span>{instrument.symbol}</span>
      <small>{describe(instrument)}</small>
    </div>
  )
}

function describe(instrument: Instrument): string {
  const expiry = instrument.expiry ? `${date(instrument.expiry)} · ` : ''
  return expiry + segmentWord(instrument.segment)
}

/** The answer to the words as they are now; what was asked for earlier ones is dropped. */
function useFound(words: string): Found {
  const [found, setFound] = useState<Found>(NOTHING)
  useEffect(() => {
    const q = words.trim()
    if (!q) return setFound(NOTHING)
    let wanted = true
    setFound((before) => (before.state === 'found' ? before : { state: 'asking', text: '' }))
    const timer = setTimeout(() => {
      search(q).then(
        (results) => wanted && setFound({ state: 'found', results }),
        (error: unknown) => wanted && setFound({ state: 'failed', text: sentence(error) }),
      )
    }, PAUSE_MILLISECONDS)
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [words])
  return found
}

async function search(q: string): Promise<readonly Instrument[]> {
  const page = await api.get<Page<Instrument>>(withQuery('instruments', { q, page_size: SHOWN }))
  remember(page.results)
  return page.results
}
