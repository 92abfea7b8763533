/** The first thing that a new station shows: how studies come in. */

import { Notice } from "../shell/Shell";

export function Empty() {
  return (
    <Notice title="No study has arrived yet">
      <p>Studies come in by DICOM, over the web, or by hand. This page shows them by itself.</p>
      <dl class="ways">
        <dt>From a modality or an archive</dt>
        <dd>
          Send to the service's AE title and port, as <code>lungflag serve</code> prints them, or try{" "}
          <code>storescu -aec LUNGFLAG localhost 11112 film.dcm</code>
        </dd>
        <dt>From a program</dt>
        <dd>
          <code>POST /api/v1/images</code> with a key that has the scope <code>images:write</code>
        </dd>
        <dt>By hand</dt>
        <dd>“Add image” above takes PNG, JPEG and DICOM files</dd>
      </dl>
    </Notice>
  );
}
