/** One of a few, side by side: radio buttons that look like one switch. */

import { useUniqueId } from '../ui/uniqueId'

interface ChoiceProps<Word extends string> {
  label: string
  value: Word
  options: readonly (readonly [value: Word, text: string])[]
  onValue: (value: Word) => void
  disabled?: boolean
  class?: string
}

export function Choice<Word extends string>({
  label,
  value,
  options,
  onValue,
  disabled,
  class: more,
}: ChoiceProps<Word>) {
  const name = useUniqueId()
  return (
    <fieldset class={more ? `choice ${more}` : 'choice'} disabled={disabled}>
      <legend class="unseen">{label}</legend>
      {options.map(([option, text]) => (
        <label key={option} class={option === value ? 'choice-on' : undefined}>
          <input type="radio" name={name} value={option} checked={option === value} onChange={() => onValue(option)} />
          {text}
        </label>
      ))}
    </fieldset>
  )
}
