"""CLAIM: reporting of artificial intelligence in medical imaging, 44 items.

A. S. Tejani et al., 'Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024
update', Radiol. Artif. Intell. 6:e240300, 2024. The topics are in our own words; the checklist has
the wording that counts.
"""

from __future__ import annotations

from lungflag.card.guidelines import Item

_MAKERS = "left to the makers of the data sets; see their citations"

CLAIM = (
    Item("1", "says that it is artificial intelligence, and of which kind", "Card: Intended use"),
    Item("2", "summary", gap="there is no abstract"),
    Item("3", "background, intended use, clinical role", "Card: Intended use"),
    Item("4", "aims and hypotheses", "Card: Intended use", gap="no hypothesis was stated"),
    Item("5", "looking forward or back", "Card: How it was made (looking back)"),
    Item("6", "goal of the study", "Card: Intended use"),
    Item("7", "data sources", "Card: How it was made", needs="data"),
    Item("8", "inclusion and exclusion", "docs/data.md",
         gap=f"how patients came into the published sets; {_MAKERS}"),
    Item("9", "preprocessing", "Card: How it was made; docs/reading.md"),
    Item("10", "choice of subsets", "Card: How it was made; runs/LOG.md", needs="log"),
    Item("11", "removal of identities", gap=_MAKERS),
    Item("12", "missing data", "docs/evaluation.md (rejected images)"),
    Item("13", "image acquisition", gap=_MAKERS),
    Item("14", "reference standard", "Card: How it was made", needs="data",
         gap=f"how the labels came about; {_MAKERS}"),
    Item("15", "why that reference standard", gap="it is the only one that the data sets have"),
    Item("16", "source of the labels", gap=_MAKERS),
    Item("17", "labelling of the test set", gap=_MAKERS),
    Item("18", "agreement between and within readers", gap=_MAKERS),
    Item("19", "assignment to partitions", "docs/data.md"),
    Item("20", "level at which partitions are apart", "docs/data.md (the patient)"),
    Item("21", "intended size of the test data", "docs/calibration.md (for a site's own images)",
         gap="for the evaluations on record, all images at hand were used"),
    Item("22", "the model", "Card: How it was made; the package: model.onnx"),
    Item("23", "software", "Card: How it was made", needs="recipe"),
    Item("24", "initial weights", "Card: How it was made (recipe)", needs="recipe"),
    Item("25", "training", "Card: How it was made (recipe); docs/training.md", needs="recipe"),
    Item("26", "choice of the final model", "runs/LOG.md", needs="log"),
    Item("27", "ensembling", "Card: How it was made (recipe)", needs="recipe"),
    Item("28", "measures of performance", "docs/evaluation.md"),
    Item("29", "significance and uncertainty", "docs/evaluation.md; docs/comparing.md"),
    Item("30", "robustness", "Card: Evidence (shift bench)", needs="shift"),
    Item("31", "explainability", "docs/heatmaps.md"),
    Item("32", "evaluation on internal data", "Card: Development figures", needs="development"),
    Item("33", "testing on external data", "Card: Evidence", needs="external"),
    Item("34", "registration of trials", gap="none on record"),
    Item("35", "numbers included and excluded", "Card: Evidence", needs="evidence"),
    Item("36", "patients' characteristics by partition", "report (lungflag evaluate --report)",
         needs="evidence", gap="whatever the data sets do not record"),
    Item("37", "performance and uncertainty on all partitions",
         "Card: Development figures; Card: Evidence", needs="evidence"),
    Item("38", "diagnostic performance and its precision", "Card: Evidence", needs="evidence"),
    Item("39", "what was got wrong, and why", "Card: Known failures and limits; report",
         needs="evidence"),
    Item("40", "limitations", "Card: Known failures and limits"),
    Item("41", "what it means for practice", "Card: Intended use"),
    Item("42", "protocol or further technical detail", "docs/",
         gap="no protocol on record"),
    Item("43", "availability of software, model, data", "README; Card: How it was made"),
    Item("44", "funding", gap="not stated"),
)  # fmt: skip
