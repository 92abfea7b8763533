"""TRIPOD+AI: reporting of prediction models, 27 items in 52 parts.

G. S. Collins et al., 'TRIPOD+AI statement: updated guidance for reporting clinical prediction
models that use regression or machine learning methods', BMJ 385:e078378, 2024. The topics are in
our own words; the statement has the wording that counts.
"""

from __future__ import annotations

from lungflag.card.guidelines import Item

_MAKERS = "left to the makers of the data sets; see their citations"

TRIPOD_AI = (
    Item("1", "title: which model, for whom, which outcome", "Card: title and Intended use"),
    Item("2", "abstract by its own list", gap="there is no abstract"),
    Item(
        "3a", "clinical setting and reason; earlier models", "Card: Intended use",
        gap="no review of earlier models",
    ),
    Item("3b", "for whom, where in the care path, which users", "Card: Intended use"),
    Item("3c", "known inequalities in health between groups", gap="not looked into"),
    Item("4", "aims: development, validation or both", "Card: Intended use"),
    Item(
        "5a", "data sources, why these, how representative", "Card: How it was made", needs="data",
        gap="how representative they are was not measured",
    ),
    Item("5b", "dates of the data", gap=_MAKERS),
    Item(
        "6a", "setting, number and place of centres", "Card: How it was made", needs="data",
        gap=f"settings; {_MAKERS}",
    ),
    Item(
        "6b", "who was eligible", "docs/data.md",
        gap=f"how patients came into the published sets; {_MAKERS}",
    ),
    Item("6c", "treatments", gap="not on record in the data sets"),
    Item(
        "7", "data preparation and quality checks, alike in all groups?",
        "docs/audit.md and docs/reading.md", gap="whether alike in all groups",
    ),
    Item(
        "8a", "the outcome, how and when assessed", "Card: How it was made", needs="data",
        gap=f"how the labels came about; {_MAKERS}",
    ),
    Item("8b", "who assessed the outcome", gap=_MAKERS),
    Item("8c", "blinding of that assessment", gap=_MAKERS),
    Item("9a", "choice of predictors", "Card: Intended use (the pixels of one radiograph alone)"),
    Item("9b", "definition and measurement of predictors", "docs/reading.md"),
    Item("9c", "who assessed the predictors", "does not apply: nobody reads the pixels"),
    Item(
        "10", "sample size and its reason", "docs/calibration.md (for a site's own images)",
        gap="for development, all images at hand were used",
    ),
    Item(
        "11", "missing data", "Card: Evidence (rejected images are counted); docs/evaluation.md",
        needs="evidence",
    ),
    Item("12a", "use and partition of the data", "Card: How it was made; docs/data.md"),
    Item("12b", "handling of predictors in the model", "Card: How it was made (preprocessing)"),
    Item(
        "12c", "type of model, building, tuning, internal validation",
        "Card: How it was made; runs/LOG.md", needs="log",
    ),
    Item(
        "12d", "differences between centres", "Card: Development figures; Card: Evidence",
        needs="development",
    ),
    Item("12e", "measures and plots of performance", "docs/evaluation.md"),
    Item("12f", "updating of the model, such as recalibration", "docs/calibration.md"),
    Item("12g", "how predictions are computed", "docs/detect.md; the package itself"),
    Item(
        "13", "class imbalance", "Card: How it was made (recipe)", needs="recipe",
    ),
    Item("14", "what was done for fairness", gap="no method; at most, thresholds by age group"),
    Item("15", "the model's output; thresholds and their reason", "Card: Operating points"),
    Item(
        "16", "how evaluation data differ from development data", "Card: Evidence",
        needs="external", gap="a full comparison",
    ),
    Item("17", "ethical approval and consent", gap=_MAKERS),
    Item("18a", "funding", gap="not stated"),
    Item("18b", "conflicts of interest", gap="not stated"),
    Item("18c", "protocol", gap="none on record"),
    Item("18d", "registration", gap="none on record"),
    Item("18e", "availability of the data", "Card: How it was made; docs/data.md", needs="data"),
    Item("18f", "availability of the code", "README"),
    Item("19", "involvement of patients and the public", gap="none on record"),
    Item("20a", "flow of participants, with and without the outcome", "Card: Evidence",
         needs="evidence", gap="a flow diagram"),
    Item(
        "20b", "characteristics, by source and group", "report (lungflag evaluate --report)",
        needs="evidence", gap="whatever the data sets do not record",
    ),
    Item("20c", "comparison of predictors with the development data", gap="not made"),
    Item("21", "participants and outcomes in each analysis",
         "Card: How it was made; Card: Evidence", needs="evidence"),
    Item("22", "the whole model, for use by others", "the package: model.onnx and package.json"),
    Item("23a", "performance with intervals, also in key groups", "Card: Evidence",
         needs="evidence", gap="groups that are not listed there"),
    Item("23b", "performance by centre", "Card: Evidence", needs="external"),
    Item("24", "results of updating", "Card: Recalibrated at a site", needs="derived"),
    Item("25", "interpretation, also as to fairness", "Card: Known failures and limits",
         gap="fairness between groups"),
    Item("26", "limitations", "Card: Known failures and limits"),
    Item("27a", "poor or missing input", "Card: What it refuses; docs/quality.md", needs="gate"),
    Item("27b", "what users have to do and know", "Card: Intended use"),
    Item("27c", "next steps", "runs/LOG.md", needs="log"),
)  # fmt: skip
