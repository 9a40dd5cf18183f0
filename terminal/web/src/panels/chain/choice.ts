/** Which columns the user chose for chains; kept with their layout on the server. */

import { computed } from '@preact/signals'

import { layout, saveLayout } from '../../state/session'
import { chosenColumns, DEFAULT_COLUMNS } from './columns'

const NAME = 'chain'

export const chosenIds = computed<readonly string[]>(() => {
  const kept = layout.value.layout[NAME] as { columns?: readonly string[] } | undefined
  return kept?.columns ?? DEFAULT_COLUMNS
})

/** Of one text, so that saving anything else of the layout does not make every chain anew. */
const joined = computed(() => chosenIds.value.join())

export const columnChoice = computed(() => chosenColumns(joined.value.split(',')))

export function chooseColumns(ids: readonly string[]): Promise<void> {
  return saveLayout(NAME, { columns: ids })
}
