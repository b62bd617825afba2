/** `topics/my-topics.yaml`: one topic of each kind. The figures are invented, and the survey's name says so in every row. */
export const topicsTemplate = `# Topics of your own. Each brings the answers that people gave (inline, or in a CSV file), or says \`stance: none\`.
# THE FIGURES OF THIS EXAMPLE ARE INVENTED. Put those of your survey in their place before you use what a run writes.

# Name of your survey; the rows bear it.
survey: example-with-invented-figures
topics:
  # 1. Answers inline: by country, then answer code, how many people chose it.
  - id: phones-at-table # letters, digits, - and _
    theme: daily_life
    statement: Phones should stay away from the table when the family eats.
    # The statement in other languages, for dialogues with \`language: own\`.
    texts:
      tr: Aile yemek yerken telefonlar sofradan uzak durmalıdır.
    # The answers that people could give; agreement goes from 0 (against the statement) to 1 (for it).
    scale:
      - { code: 1, label: agree, agreement: 1 }
      - { code: 2, label: it depends, agreement: 0.5 }
      - { code: 3, label: disagree, agreement: 0 }
    distribution:
      GRC: { 1: 52, 2: 31, 3: 17 }
      TUR: { 1: 61, 2: 25, 3: 14 }
      USA: { 1: 47, 2: 30, 3: 23 }

  # 2. Answers in a CSV file beside this one: country,code,count. Negative codes are missing answers and no answers.
  - id: my-topic
    theme: daily_life
    statement: A good neighbour drops in without calling first.
    # The name of a scale of the survey: agree4, agree5, agree10, often4, … (culturepark survey show TOPIC prints them).
    scale: agree5
    distribution: my-topic.csv

  # 3. No answers: the personas speak freely, and nothing is claimed about how well they stand for anybody.
  - id: summer-holidays
    theme: daily_life
    statement: Summer holidays are best spent in the place where one grew up.
    stance: none
`;

/** `topics/my-topic.csv`. */
export const topicCsvTemplate = `country,code,count
GRC,1,24
GRC,2,35
GRC,3,14
GRC,4,19
GRC,5,8
GRC,-1,3
TUR,1,31
TUR,2,38
TUR,3,9
TUR,4,15
TUR,5,7
TUR,-1,2
USA,1,9
USA,2,22
USA,3,21
USA,4,33
USA,5,15
USA,-1,4
`;
