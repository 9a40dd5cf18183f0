/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="funds" />
}

registerPanel({ id: 'funds', title: 'Funds', icon: 'funds', component: Panel })
