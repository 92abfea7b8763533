"""The card's standing sentences. Braces are filled in from the package's record."""

from __future__ import annotations

BANNER = """\
Flags suspected pneumonia in frontal chest radiographs, so that a physician reads them sooner.
**It is not a diagnosis, and a radiograph that is not flagged is not cleared.**"""

DERIVED = """\
**Derived** from {name} {version} by recalibration on a site's own images: the same network, another
calibration, other thresholds. It is meant for that site alone."""

UNPROVEN = "**Not measured** on images that set nothing: see Evidence."

INTENDED_USE = """\
- **What for**: to put radiographs with suspected pneumonia first in a reading list, or as a second
  look. A deep neural network (artificial intelligence) gives the probability that the label of the
  reference standard would be *pneumonia*.
- **By whom**: physicians who read chest radiographs, in products that imaging engineers build.
  Every radiograph is still read by a physician.
- **From what**: the pixels of one frontal chest radiograph alone. It knows no history, no signs, no
  laboratory values and no earlier films.
- **On whom it was validated**: hospitals: {hospitals}; ages: {ages}; views: {views}. Findings
  elsewhere carry the mark 'outside validated use' as far as header or picture give it away.
- **Aim of this card**: to report the development of the model, and its validation where Evidence
  lists one."""

OUT_OF_SCOPE = """\
- To rule out pneumonia, to decide on treatment, or without a physician's reading.
- {ages}
- At hospitals other than these ({hospitals}) before it was measured on your own films
  (`lungflag evaluate`) and recalibrated (`lungflag recalibrate`).
- On lateral views, other parts of the body, CT, or photographs of films.
- To look for anything else: it was taught no tuberculosis, no nodule, no pneumothorax, no effusion,
  no misplaced tube."""

OUT_OF_AGES = "On patients younger than {0:g} or older than {1:g} years."
NO_AGES = "On an age group that you have not measured it on: ages are not on record."

LIMITS = """\
- It may have learned the hospital rather than the disease: letters, posture, framing and grey scale
  differ between hospitals. Networks of this kind are known to fail elsewhere.
- Its labels are not free of error, and neither are its figures.
- It looks at a reduced picture: small or faint shadows may be lost.
- A heatmap shows which pixels spoke for pneumonia. It is no outline of the disease.
- **Not measured**: whether patients fare better, or are read sooner, with it.
- **Not measured**: how it does beside radiologists, or how they do with its help.
- **Not measured**: how it does on radiographs with tubes, lines, implants or after operations."""

NO_GATE = """\
There is no quality gate: any readable picture is judged, also one that is no chest radiograph. Only
files that cannot be read, and blank ones, are rejected."""

GATE = """\
A quality gate rejects what the model may not judge, with a coded reason: no chest radiograph,
inverted grey scale, rotated, lateral, badly cropped, blank, too small (below {smallest_side}
pixels), or far from everything it was made for. A rejected radiograph is neither positive nor
negative: a person has to look. docs/quality.md says how often the gate is right."""

POINTS = """\
Thresholds on the calibrated probability. Sensitivity and specificity are those of the images on
which the thresholds were set, so they flatter; Evidence has others."""

EVIDENCE = """\
Figures with their 95% intervals, in which images of one patient count as related."""

NO_EVIDENCE = "Not measured: no evaluation of this package is on record."

PREDICTIVE = """\
At `{name}`. How likely pneumonia is in a flagged radiograph (PPV), and its absence in one that is
not flagged (NPV), depends on how many of those examined have it. Computed by Bayes's rule from
sensitivity and specificity as above; in brackets 95% intervals."""

PREDICTIVE_UNPROVEN = """\
No evaluation is on record: these come from the images that set the threshold. They flatter, and
have no intervals."""

CALIBRATION = """\
Probability = 1 / (1 + exp(-({slope:.4g} x logit {intercept:+.4g}))), Platt scaling. Of 100
radiographs with a probability of 0.3, 30 should have pneumonia. That can hold only where pneumonia
is as frequent as in the images that it was fitted on."""

NO_CALIBRATION = "Not measured on images other than those."

DEVELOPMENT = """\
From the making of the package, on patients outside the training images, who took part in choices
all the same."""

NO_DEVELOPMENT = "Not measured, or not on record."

MADE = """\
- **Reference standard**: the labels *normal* and *pneumonia* of these data sets, looking back. How
  they came about is in the citations.
- **Partition**: by patient. Calibration and thresholds were set on {held} of other patients{auroc}.
- **Preprocessing**: the whole radiograph, resized to {size} x {size} pixels, grey scale stretched
  between percentiles {low:g} and {high:g}."""

RECALIBRATED = """\
On {date}, on {data} (split {split}): {normal:,} normal and {pneumonia:,} pneumonia images of
{patients:,} patients ({ill:,} with pneumonia); {rejected:,} rejected. Source package: {digest}."""

GUIDELINE = """\
Which items of this guideline are answered, and where. *Card* is this page, *report* what
`lungflag evaluate --report` writes; other names are files of the lungflag project."""
