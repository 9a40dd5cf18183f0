/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="holdings" />
}

registerPanel({ id: 'holdings', title: 'Holdings', icon: 'holdings', component: Panel })
