/** A drop-down with a box for each indicator. */

import { Check } from '../../ui/Field'
import { STUDIES } from './studies'

export interface StudyChooserProps {
  chosen: readonly string[]
  onChoose: (ids: readonly string[]) => void
}

export function StudyChooser({ chosen, onChoose }: StudyChooserProps) {
  return (
    <details class="chart-studies">
      <summary>Indicators{chosen.length ? ` (${chosen.length})` : ''}</summary>
      <div>
        {STUDIES.map((study) => (
          <Check
            key={study.id}
            label={study.title}
            checked={chosen.includes(study.id)}
            onValue={(on) => onChoose(on ? [...chosen, study.id] : chosen.filter((each) => each !== study.id))}
          />
        ))}
      </div>
    </details>
  )
}
