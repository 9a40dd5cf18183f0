/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="statement" />
}

registerPanel({ id: 'statement', title: 'Statement', icon: 'statement', component: Panel })
