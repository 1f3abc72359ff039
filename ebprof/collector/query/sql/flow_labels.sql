-- Names of labels that were added to flows.
SELECT DISTINCT name
FROM flow_labels
ORDER BY name
