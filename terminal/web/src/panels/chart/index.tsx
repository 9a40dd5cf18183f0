/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="chart" />
}

registerPanel({ id: 'chart', title: 'Chart', icon: 'chart', component: Panel })
