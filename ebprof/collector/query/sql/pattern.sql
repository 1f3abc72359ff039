-- Whether a pattern is one: the answer does not matter.
SELECT match('', {pattern:String}) AS matches
