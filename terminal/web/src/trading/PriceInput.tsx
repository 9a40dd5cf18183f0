/** A price in rupees that is whole paise inside: arrows step by the tick, with Shift by ten. */

import type { Ref } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import { paise, rupees } from '../format/price'
import { Field } from '../ui/Field'
import { stepped } from './quantity'

interface PriceInputProps {
  label: string
  value: number | null
  tick: number
  /** Where arrows begin while nothing is given: the last price. */
  from?: number | null
  onValue: (paise: number | null) => void
  placeholder?: string
  hint?: string | undefined
  error?: string | undefined
  disabled?: boolean
  hideLabel?: boolean
  inputRef?: Ref<HTMLInputElement>
}

export function PriceInput({
  label,
  value,
  tick,
  from,
  placeholder = '0.00',
  onValue,
  inputRef,
  ...rest
}: PriceInputProps) {
  const [text, setText] = useState(textOf(value))
  useEffect(() => {
    if (read(text) !== value) setText(textOf(value))
  }, [value])
  const step = (event: KeyboardEvent) => {
    const direction = ({ ArrowUp: 1, ArrowDown: -1 } as const)[event.key]
    const start = value ?? from
    if (!direction || !start) return
    event.preventDefault()
    onValue(value === null ? start : stepped(start, tick, direction, event.shiftKey))
  }
  return (
    <Field
      label={label}
      value={text}
      inputMode="decimal"
      placeholder={placeholder}
      onKeyDown={step}
      onValue={(typed) => {
        setText(typed)
        onValue(read(typed))
      }}
      onBlur={() => setText(value === null ? text : textOf(value))}
      {...(inputRef ? { inputRef } : {})}
      {...rest}
    />
  )
}

function textOf(value: number | null): string {
  return value === null ? '' : rupees(value)
}

/** "152." is on its way to "152.5", and a price already. */
function read(text: string): number | null {
  return paise(text.replace(/\.$/, ''))
}
